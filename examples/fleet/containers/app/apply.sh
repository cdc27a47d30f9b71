#!/bin/sh
# Makes this container the application. `$DB_IP` is the address of `db`, known because of `AFTER`.
set -eu

id app >/dev/null 2>&1 || useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin app

before=$(cat /usr/local/bin/app /etc/systemd/system/app.service /etc/default/app 2>/dev/null | cksum)
install -m 0755 files/app.py /usr/local/bin/app
install -m 0644 files/app.service /etc/systemd/system/app.service
printf 'STORE=http://%s:8000/\n' "$DB_IP" >/etc/default/app
after=$(cat /usr/local/bin/app /etc/systemd/system/app.service /etc/default/app | cksum)

systemctl daemon-reload
[ "$before" = "$after" ] || systemctl restart app.service
systemctl --quiet enable --now app.service
echo "app: answers with what $DB_IP says"
