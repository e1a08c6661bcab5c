ALTER TABLE "dropped_value" ADD COLUMN "source" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "dropped_value" DROP CONSTRAINT "dropped_value_run_attempt_field_reason_pk";--> statement-breakpoint
ALTER TABLE "dropped_value" ADD CONSTRAINT "dropped_value_run_attempt_field_reason_source_pk" PRIMARY KEY("run","attempt","field","reason","source");