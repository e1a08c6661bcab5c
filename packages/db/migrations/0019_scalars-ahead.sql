ALTER TABLE "step" ADD COLUMN "lr_ahead" double precision;--> statement-breakpoint
ALTER TABLE "step" ADD COLUMN "update_share" double precision;--> statement-breakpoint
ALTER TABLE "step" ADD COLUMN "update_rms" double precision;--> statement-breakpoint
ALTER TABLE "step" ADD COLUMN "attention_logit_max" double precision;