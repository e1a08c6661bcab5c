CREATE TABLE "run_source" (
	"run" uuid PRIMARY KEY NOT NULL,
	"door" text NOT NULL,
	"external_id" text NOT NULL,
	"parent" uuid,
	"state" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "project" ADD COLUMN "names" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "names" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "run_source" ADD CONSTRAINT "run_source_run_run_id_fk" FOREIGN KEY ("run") REFERENCES "public"."run"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "run_source_once" ON "run_source" USING btree ("door","external_id");--> statement-breakpoint
CREATE INDEX "run_source_parent" ON "run_source" USING btree ("parent");