ALTER TABLE "alert" ADD COLUMN "note" text;--> statement-breakpoint
ALTER TABLE "alert" ADD COLUMN "noted_by" text;--> statement-breakpoint
ALTER TABLE "alert" ADD COLUMN "noted_at" timestamp (3) with time zone;