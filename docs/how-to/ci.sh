#!/bin/sh
# Builds the image of a commit, pushes it, brings it to an environment, and waits until it is healthy there.
#
#   REGISTRY           registry.example.com, or HOST:PORT
#   IMAGE              the repository: alice/web
#   GIT_SHA            the commit; becomes the tag
#   BERTH_TOKEN        a robot's token, with the role write in the namespace
#   BERTH_STACK        alice/shop
#   BERTH_ENVIRONMENT  test
#
# May be set as well:
#
#   BERTH_SERVICE      the service of the stack; else the last part of IMAGE
#   BERTH_SERVER       http://HOST:PORT for a Berth without HTTPS; else https://REGISTRY
#   BERTH_TIMEOUT, BERTH_LOCK_TIMEOUT   10m each
#   CONTEXT            the folder with the Dockerfile; else the current one
#
# Ends with the exit code of berth deploy: 0 healthy, 3 failed and went back, 4 failed and did not go back, 5 refused, 6 locked,
# 124 timed out; 1 for anything else. The tag latest moves with 0 alone.
set -eu

: "${REGISTRY:?}" "${IMAGE:?}" "${GIT_SHA:?}" "${BERTH_TOKEN:?}" "${BERTH_STACK:?}" "${BERTH_ENVIRONMENT:?}"
export BERTH_TOKEN BERTH_STACK BERTH_ENVIRONMENT BERTH_SERVER="${BERTH_SERVER:-$REGISTRY}"
service=${BERTH_SERVICE:-${IMAGE##*/}}
image=$REGISTRY/$IMAGE

robot=$(berth whoami)
printf '%s' "$BERTH_TOKEN" | docker login --username "$robot" --password-stdin "$REGISTRY"

docker build --label "org.opencontainers.image.revision=$GIT_SHA" --tag "$image:$GIT_SHA" "${CONTEXT:-.}"
docker push "$image:$GIT_SHA"

code=0
berth deploy "$service=$GIT_SHA" --wait \
  --timeout "${BERTH_TIMEOUT:-10m}" --lock-timeout "${BERTH_LOCK_TIMEOUT:-10m}" || code=$?

case $code in
  0)
    docker tag "$image:$GIT_SHA" "$image:latest"
    docker push "$image:latest"
    ;;
  3) echo "$GIT_SHA is a bad release; $BERTH_ENVIRONMENT runs what it ran before" >&2 ;;
  4) echo "$BERTH_ENVIRONMENT is down: $GIT_SHA failed, and there was no way back" >&2 ;;
  5) echo "$BERTH_ENVIRONMENT does not take $GIT_SHA" >&2 ;;
  6) echo "$BERTH_ENVIRONMENT is busy with another deployment; try again later" >&2 ;;
  124) echo "$BERTH_ENVIRONMENT is not done yet; berth status $BERTH_ENVIRONMENT says how it ends" >&2 ;;
  *) echo "$GIT_SHA was not deployed" >&2 ;;
esac
exit "$code"
