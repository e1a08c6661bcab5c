CREATE TABLE "forecast" (
	"run" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"step" bigint NOT NULL,
	"risk" double precision NOT NULL,
	"divergence_step" bigint,
	"divergence_interval" bigint[],
	CONSTRAINT "forecast_run_attempt_step_pk" PRIMARY KEY("run","attempt","step")
);
--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "risk" double precision;--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "divergence_step" bigint;--> statement-breakpoint
ALTER TABLE "run" ADD COLUMN "divergence_interval" bigint[];--> statement-breakpoint
ALTER TABLE "forecast" ADD CONSTRAINT "forecast_run_run_id_fk" FOREIGN KEY ("run") REFERENCES "public"."run"("id") ON DELETE cascade ON UPDATE no action;