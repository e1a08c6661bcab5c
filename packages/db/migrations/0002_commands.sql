CREATE TABLE "command" (
	"id" uuid NOT NULL,
	"run" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"kind" text NOT NULL,
	"factor" double precision,
	"by" text,
	"reason" text NOT NULL,
	"alert" uuid,
	"step" bigint,
	"status" text NOT NULL,
	"result" text,
	"error" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"acknowledged_at" timestamp (3) with time zone,
	"settled_at" timestamp (3) with time zone,
	CONSTRAINT "command_run_id_pk" PRIMARY KEY("run","id")
);
--> statement-breakpoint
ALTER TABLE "alert" ADD COLUMN "attempt" integer;--> statement-breakpoint
ALTER TABLE "alert" ADD COLUMN "window" bigint[];--> statement-breakpoint
UPDATE "alert" SET "attempt" = coalesce((
	SELECT max("number") FROM "attempt"
	WHERE "attempt"."run" = "alert"."run" AND "attempt"."started_at" <= "alert"."opened_at"
), 1), "window" = ARRAY["step", "step"];--> statement-breakpoint
ALTER TABLE "alert" ALTER COLUMN "attempt" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "alert" ALTER COLUMN "window" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "alert" ADD COLUMN "risk" double precision;--> statement-breakpoint
ALTER TABLE "alert" ADD COLUMN "divergence_step" bigint;--> statement-breakpoint
ALTER TABLE "attempt" ADD COLUMN "policy" jsonb DEFAULT '{"warning":{"kind":"observe"},"critical":{"kind":"observe"}}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "project" ADD COLUMN "rules" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "command" ADD CONSTRAINT "command_run_run_id_fk" FOREIGN KEY ("run") REFERENCES "public"."run"("id") ON DELETE cascade ON UPDATE no action;