CREATE TABLE "alert_event" (
	"id" bigserial NOT NULL,
	"run" uuid NOT NULL,
	"alert" uuid NOT NULL,
	"kind" text NOT NULL,
	"attempt" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"by" text,
	"payload" jsonb NOT NULL,
	CONSTRAINT "alert_event_run_id_pk" PRIMARY KEY("run","id")
);
--> statement-breakpoint
CREATE INDEX "alert_event_id" ON "alert_event" USING btree ("id");