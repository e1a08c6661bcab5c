ALTER TABLE "attempt" ADD COLUMN "rolling_to" bigint DEFAULT -1099511627776 NOT NULL;--> statement-breakpoint
ALTER TABLE "attempt" ADD COLUMN "changed" bigint[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "attempt" ADD COLUMN "build" integer DEFAULT 0 NOT NULL;