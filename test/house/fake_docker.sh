#!/bin/sh
# Replaces Docker's command in discovery.test.ts. Its "containers" are processes of $FAKE_MEMCACHED.
# The process listens on the published port; its process id is in $FAKE_DOCKER/<name>.
set -eu
verb=$1
shift
case $verb in
version) echo 99.0 ;;
image) ;;
run)
  name= publish=
  while [ "$1" != memcached:1.6 ]; do
    case $1 in
    --name) name=$2 ;;
    --publish) publish=$2 ;;
    esac
    shift
  done
  shift 2 # the image, and the program's name
  echo $$ >"$FAKE_DOCKER/$name"
  case "$*" in
  *"-l 0.0.0.0 -p 11211"*)
    shift 4
    port=${publish%:11211}
    exec "$FAKE_MEMCACHED" -l "${port%:*}" -p "${port##*:}" "$@"
    ;;
  esac
  exec "$FAKE_MEMCACHED" "$@"
  ;;
pause) kill -STOP "$(cat "$FAKE_DOCKER/$1")" ;;
unpause) kill -CONT "$(cat "$FAKE_DOCKER/$1")" ;;
kill) kill "-${2#SIG}" "$(cat "$FAKE_DOCKER/$3")" ;;
*) exit 1 ;;
esac
