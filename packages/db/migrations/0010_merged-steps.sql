-- Rollups are laid out by metric now: those there are go, and are rebuilt from the steps.
DELETE FROM "rollup";--> statement-breakpoint
UPDATE "attempt" SET "rolled_to" = -1099511627776, "stale" = '{}';--> statement-breakpoint
CREATE TABLE "dropped_value" (
	"run" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"field" text NOT NULL,
	"reason" text NOT NULL,
	"count" bigint NOT NULL,
	CONSTRAINT "dropped_value_run_attempt_field_reason_pk" PRIMARY KEY("run","attempt","field","reason")
);--> statement-breakpoint
CREATE TABLE "scalar_name" (
	"run" uuid NOT NULL,
	"id" integer NOT NULL,
	"name" text NOT NULL,
	CONSTRAINT "scalar_name_run_id_pk" PRIMARY KEY("run","id")
);--> statement-breakpoint
CREATE TABLE "scalar_set" (
	"run" uuid NOT NULL,
	"id" integer NOT NULL,
	"names" integer[] NOT NULL,
	CONSTRAINT "scalar_set_run_id_pk" PRIMARY KEY("run","id")
);--> statement-breakpoint
CREATE TABLE "scalar_values" (
	"run" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"step" bigint NOT NULL,
	"set" integer NOT NULL,
	"values" double precision[] NOT NULL,
	"version" bigserial NOT NULL,
	CONSTRAINT "scalar_values_run_attempt_step_set_pk" PRIMARY KEY("run","attempt","step","set")
);--> statement-breakpoint
ALTER TABLE "rollup" DROP CONSTRAINT "rollup_run_attempt_size_start_pk";--> statement-breakpoint
ALTER TABLE "rollup" ADD COLUMN "metric" integer NOT NULL;--> statement-breakpoint
ALTER TABLE "attempt" ALTER COLUMN "rolled_to" SET DEFAULT -1099511627776;--> statement-breakpoint
ALTER TABLE "attempt" ALTER COLUMN "stale" SET DEFAULT '{}';--> statement-breakpoint
ALTER TABLE "rollup" ALTER COLUMN "max" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "rollup" ALTER COLUMN "sum" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "rollup" ALTER COLUMN "finite" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "rollup" ALTER COLUMN "non_finite" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "rollup" ADD CONSTRAINT "rollup_run_attempt_metric_size_start_pk" PRIMARY KEY("run","attempt","metric","size","start");--> statement-breakpoint
ALTER TABLE "rollup" ADD COLUMN "offsets" smallint[];--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "serial" bigint NOT NULL GENERATED ALWAYS AS IDENTITY (sequence name "run_serial_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1);--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "scalar_names" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "scalar_sets" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "latest_attempt" integer;--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "last_time" double precision;--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "loss_step" bigint;--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "loss_time" double precision;--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "tev_mean_step" bigint;--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "tev_mean_time" double precision;--> statement-breakpoint
ALTER TABLE "dropped_value" ADD CONSTRAINT "dropped_value_run_run_id_fk" FOREIGN KEY ("run") REFERENCES "public"."run"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "scalar_name" ADD CONSTRAINT "scalar_name_run_run_id_fk" FOREIGN KEY ("run") REFERENCES "public"."run"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "scalar_set" ADD CONSTRAINT "scalar_set_run_run_id_fk" FOREIGN KEY ("run") REFERENCES "public"."run"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "scalar_name_once" ON "scalar_name" USING btree ("run","name");--> statement-breakpoint
ALTER TABLE "rollup" DROP COLUMN "time";--> statement-breakpoint
ALTER TABLE "rollup" DROP COLUMN "tokens";--> statement-breakpoint
ALTER TABLE "rollup" DROP COLUMN "array_steps";--> statement-breakpoint
-- Custom scalars move out of the rows of steps: names and sets of names have rows of their own.
INSERT INTO "scalar_name" ("run", "id", "name")
SELECT run."id", known."place" - 1, known."name" FROM "run", unnest("custom_names") WITH ORDINALITY AS known ("name", "place");--> statement-breakpoint
CREATE TABLE "moved_scalars" AS
SELECT "run", "attempt", "step",
  ARRAY(SELECT place - 1 FROM unnest("custom") WITH ORDINALITY AS scalar ("value", "place") WHERE "value" IS NOT NULL ORDER BY "place")::integer[] AS "names",
  ARRAY(SELECT "value" FROM unnest("custom") WITH ORDINALITY AS scalar ("value", "place") WHERE "value" IS NOT NULL ORDER BY "place")::double precision[] AS "values"
FROM "step" WHERE "custom" IS NOT NULL;--> statement-breakpoint
DELETE FROM "moved_scalars" WHERE cardinality("names") = 0 OR "run" NOT IN (SELECT "id" FROM "run");--> statement-breakpoint
INSERT INTO "scalar_set" ("run", "id", "names")
SELECT "run", row_number() OVER (PARTITION BY "run" ORDER BY "names") - 1, "names" FROM (SELECT DISTINCT "run", "names" FROM "moved_scalars") AS sets;--> statement-breakpoint
INSERT INTO "scalar_values" ("run", "attempt", "step", "set", "values")
SELECT moved."run", moved."attempt", moved."step", scalar_set."id", moved."values"
FROM "moved_scalars" AS moved JOIN "scalar_set" ON scalar_set."run" = moved."run" AND scalar_set."names" = moved."names";--> statement-breakpoint
DROP TABLE "moved_scalars";--> statement-breakpoint
UPDATE "run" SET
  "scalar_names" = (SELECT count(*) FROM "scalar_name" WHERE "scalar_name"."run" = "run"."id"),
  "scalar_sets" = (SELECT count(*) FROM "scalar_set" WHERE "scalar_set"."run" = "run"."id"),
  "latest_attempt" = (SELECT max("number") FROM "attempt" WHERE "attempt"."run" = "run"."id" AND "last_step" IS NOT NULL);--> statement-breakpoint
UPDATE "run" SET
  "last_time" = extract(epoch FROM step."time") * 1000,
  "loss_step" = CASE WHEN run."loss" IS NOT NULL THEN step."step" END,
  "loss_time" = CASE WHEN run."loss" IS NOT NULL THEN extract(epoch FROM step."time") * 1000 END,
  "tev_mean_step" = CASE WHEN run."tev_mean" IS NOT NULL THEN step."step" END,
  "tev_mean_time" = CASE WHEN run."tev_mean" IS NOT NULL THEN extract(epoch FROM step."time") * 1000 END
FROM "step" WHERE step."run" = run."id" AND step."attempt" = run."latest_attempt" AND step."step" = run."last_step";--> statement-breakpoint
ALTER TABLE "run" DROP COLUMN "custom_names";--> statement-breakpoint
ALTER TABLE "step" DROP COLUMN "custom";