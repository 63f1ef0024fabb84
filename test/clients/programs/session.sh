#!/bin/sh
# A whole session with curl: sh session.sh URL USERNAME PASSWORD
set -eu
url=$1
credentials="{\"username\":\"$2\",\"password\":\"$3\"}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# -c writes the cookies that a response sets, -b sends them. The body goes into a file.
call() { # STEP METHOD PATH [JSON]
  step=$1 method=$2 path=$3
  shift 3
  if [ $# = 1 ]; then set -- -H 'Content-Type: application/json' -d "$1"; fi
  status=$(curl -sS -c "$folder/jar" -b "$folder/jar" -o "$folder/body" -w '%{http_code}' -X "$method" "$@" "$url/v1$path")
  echo "$step $status"
}

call sign-up POST /accounts "$credentials"
call log-in POST /session "$credentials"
call post POST /posts '{"text":"Hello from a shell."}'
id=$(sed 's/.*"id":"\([^"]*\)","author".*/\1/' "$folder/body")
call like PUT "/posts/$id/reaction" '{"value":"like"}'
call dislike PUT "/posts/$id/reaction" '{"value":"dislike"}'
call refresh POST /session/refresh
call read GET /session
call log-out DELETE /session
call refused GET /session
