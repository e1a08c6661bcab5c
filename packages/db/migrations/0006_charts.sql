-- Rollups are made anew from the steps: those there are know neither times, tokens, quantiles nor custom scalars.
DELETE FROM "rollup";--> statement-breakpoint
UPDATE "attempt" SET "rolled_to" = 0, "stale" = '{}';--> statement-breakpoint
ALTER TABLE "rollup" ADD COLUMN "time" timestamp (3) with time zone NOT NULL;--> statement-breakpoint
ALTER TABLE "rollup" ADD COLUMN "tokens" bigint;--> statement-breakpoint
ALTER TABLE "rollup" ADD COLUMN "array_steps" bigint[] NOT NULL;--> statement-breakpoint
ALTER TABLE "rollup" DROP COLUMN "layer_step";