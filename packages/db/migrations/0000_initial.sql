CREATE TABLE "alert" (
	"id" uuid NOT NULL,
	"run" uuid NOT NULL,
	"rule" text NOT NULL,
	"severity" text NOT NULL,
	"status" text NOT NULL,
	"step" bigint NOT NULL,
	"message" text NOT NULL,
	"evidence" jsonb NOT NULL,
	"opened_at" timestamp (3) with time zone NOT NULL,
	"acknowledged_at" timestamp (3) with time zone,
	"resolved_at" timestamp (3) with time zone,
	CONSTRAINT "alert_run_id_pk" PRIMARY KEY("run","id")
);
--> statement-breakpoint
CREATE TABLE "api_key" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"hash" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"last_used_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	CONSTRAINT "api_key_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "attempt" (
	"run" uuid NOT NULL,
	"number" integer NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"status" text,
	"first_step" bigint,
	"last_step" bigint,
	"rolled_to" bigint NOT NULL,
	"stale" bigint[] NOT NULL,
	"judged_to" bigint,
	CONSTRAINT "attempt_run_number_pk" PRIMARY KEY("run","number")
);
--> statement-breakpoint
CREATE TABLE "project" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "project_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "project_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "rollup" (
	"run" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"size" smallint NOT NULL,
	"start" bigint NOT NULL,
	"min" double precision[] NOT NULL,
	"max" double precision[] NOT NULL,
	"sum" double precision[] NOT NULL,
	"finite" smallint[] NOT NULL,
	"non_finite" smallint[] NOT NULL,
	"layer_step" bigint,
	CONSTRAINT "rollup_run_attempt_size_start_pk" PRIMARY KEY("run","attempt","size","start")
);
--> statement-breakpoint
CREATE TABLE "run" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" integer NOT NULL,
	"name" text NOT NULL,
	"status" text NOT NULL,
	"reason" text,
	"config" jsonb NOT NULL,
	"owner" text,
	"tags" text[] NOT NULL,
	"notes" text NOT NULL,
	"layers" text[] NOT NULL,
	"custom_names" text[] NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"heard_at" timestamp (3) with time zone NOT NULL,
	"last_step" bigint,
	"loss" double precision,
	"tev_mean" double precision
);
--> statement-breakpoint
CREATE TABLE "step" (
	"run" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"step" bigint NOT NULL,
	"time" timestamp (3) with time zone NOT NULL,
	"loss" double precision,
	"tev_mean" double precision,
	"tev_std" double precision,
	"grad_var" double precision,
	"grad_norm" double precision,
	"lr" double precision,
	"tokens" bigint,
	"tev_quantiles" real[],
	"layer_grad_var" real[],
	"layer_out_var" real[],
	"custom" real[],
	CONSTRAINT "step_run_attempt_step_pk" PRIMARY KEY("run","attempt","step")
);
--> statement-breakpoint
ALTER TABLE "alert" ADD CONSTRAINT "alert_run_run_id_fk" FOREIGN KEY ("run") REFERENCES "public"."run"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "attempt" ADD CONSTRAINT "attempt_run_run_id_fk" FOREIGN KEY ("run") REFERENCES "public"."run"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "run" ADD CONSTRAINT "run_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "alert_one_unresolved" ON "alert" USING btree ("run","rule") WHERE "alert"."status" <> 'resolved';--> statement-breakpoint
CREATE INDEX "alert_opened_at" ON "alert" USING btree ("opened_at");--> statement-breakpoint
CREATE INDEX "run_started_at" ON "run" USING btree ("started_at");--> statement-breakpoint
CREATE INDEX "run_project" ON "run" USING btree ("project_id","started_at");