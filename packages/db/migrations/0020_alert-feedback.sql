ALTER TABLE "alert" ADD COLUMN "feedback" text;--> statement-breakpoint
ALTER TABLE "alert" ADD COLUMN "feedback_by" text;--> statement-breakpoint
ALTER TABLE "alert" ADD COLUMN "feedback_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "attempt" ADD COLUMN "onset" bigint;--> statement-breakpoint
ALTER TABLE "attempt" ADD COLUMN "onset_to" bigint;