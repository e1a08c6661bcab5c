CREATE TABLE "view" (
	"name" text PRIMARY KEY NOT NULL,
	"query" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
