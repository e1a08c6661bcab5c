#!/usr/bin/env bash
# MLflow with its store on PostgreSQL: which driver `postgresql://` means is decided by SQLAlchemy's release and not by
# MLflow's. mlflow 3.17.2 allows SQLAlchemy 2.0 and 2.1; pip takes 2.1, where the URL means psycopg (version 3). An
# environment with psycopg2, which that URL has meant so far, then cannot open a store that it could open before, though
# neither MLflow, the driver nor the URL has changed. A good guess is that psycopg2 stays the default, or that MLflow asks
# for the driver that it needs. `postgresql+psycopg2://` is understood by both.
#
# Seen with Python 3.11 on Linux, without a server; the output of this script:
#   SQLAlchemy 2.0.45, postgresql: psycopg2
#   SQLAlchemy 2.0.45, postgresql+psycopg2: psycopg2
#   SQLAlchemy 2.1.9, postgresql: No module named 'psycopg'
#   SQLAlchemy 2.1.9, postgresql+psycopg2: psycopg2
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mlflow==3.17.2 psycopg2-binary==2.9.13 sqlalchemy==2.1.9
cat >open.py <<'PY'
import sqlalchemy
from mlflow.store.db.utils import create_sqlalchemy_engine

for scheme in ("postgresql", "postgresql+psycopg2"):
    try:
        seen = create_sqlalchemy_engine(f"{scheme}://user@127.0.0.1/mlflow").dialect.driver
    except ModuleNotFoundError as error:
        seen = error
    print(f"SQLAlchemy {sqlalchemy.__version__}, {scheme}: {seen}")
PY
new=$(venv/bin/python open.py)
venv/bin/pip install --quiet --disable-pip-version-check sqlalchemy==2.0.45
old=$(venv/bin/python open.py)
seen=$(printf '%s\n%s\n' "$old" "$new")
echo "$seen"
expected=$(sed -n 's/^#   //p' "$script")
[ "$seen" = "$expected" ] || { echo 'The behavior has changed.'; exit 1; }
