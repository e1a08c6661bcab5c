CREATE TABLE "console_line" (
	"run" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"writer" integer NOT NULL,
	"line" bigint NOT NULL,
	"time" timestamp (3) with time zone NOT NULL,
	"stream" text NOT NULL,
	"text" text NOT NULL,
	"cut" bigint NOT NULL,
	"revision" bigint NOT NULL,
	CONSTRAINT "console_line_run_attempt_writer_line_pk" PRIMARY KEY("run","attempt","writer","line")
);
--> statement-breakpoint
CREATE TABLE "console_output" (
	"run" uuid PRIMARY KEY NOT NULL,
	"revision" bigint NOT NULL,
	"sessions" uuid[] NOT NULL,
	"lines" integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE "console_output" ADD CONSTRAINT "console_output_run_run_id_fk" FOREIGN KEY ("run") REFERENCES "public"."run"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "console_line_revision" ON "console_line" USING btree ("run","revision");