ALTER TABLE "attempt" ADD COLUMN "key_ids" uuid[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "key_id" uuid;--> statement-breakpoint
ALTER TABLE "run" ADD CONSTRAINT "run_key_id_api_key_id_fk" FOREIGN KEY ("key_id") REFERENCES "public"."api_key"("id") ON DELETE no action ON UPDATE no action;