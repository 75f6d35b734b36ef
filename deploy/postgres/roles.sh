#!/bin/bash
# Makes the database and its two roles, once, when the volume is new. The owner migrates; servers are tenora_app, which owns
# nothing, so that row-level security holds every statement to the tenant that it works for.
set -euo pipefail

psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv owner_password POSTGRES_OWNER_PASSWORD
\getenv app_password POSTGRES_APP_PASSWORD
CREATE ROLE tenora_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE tenora_app LOGIN PASSWORD :'app_password';
CREATE DATABASE tenora OWNER tenora_owner;
REVOKE ALL ON DATABASE tenora FROM PUBLIC;
GRANT CONNECT ON DATABASE tenora TO tenora_app;
SQL
