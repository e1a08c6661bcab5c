CREATE TABLE "run_history" (
	"run" uuid NOT NULL,
	"id" bigserial NOT NULL,
	"attempt" integer NOT NULL,
	"kind" text NOT NULL,
	"step" bigint,
	"by" text,
	"reason" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "run_history_run_id_pk" PRIMARY KEY("run","id")
);
--> statement-breakpoint
ALTER TABLE "attempt" ADD COLUMN "outliers" bigint[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "attempt" ADD COLUMN "removed" bigint[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "attempt" ADD COLUMN "sessions" uuid[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "attempt" ADD COLUMN "started_as" integer;--> statement-breakpoint
ALTER TABLE "attempt" ADD COLUMN "conflicts" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "run_history" ADD CONSTRAINT "run_history_run_run_id_fk" FOREIGN KEY ("run") REFERENCES "public"."run"("id") ON DELETE cascade ON UPDATE no action;