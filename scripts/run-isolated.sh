#!/bin/sh
# Runs a command the way a container does: as process 1, with a root file system that cannot be written, as user 1000
# without capabilities. Called under "unshare --mount --pid --fork" (and --user --map-root-user where the caller is not
# root; the user is then the caller's, root inside).
#
#   run-isolated.sh EMPTY_FOLDER LAYOUT NODE DATA SECRETS CWD NAME=VALUE... COMMAND...
set -eu

root=$1 layout=$2 node=$3 data=$4 secrets=$5 cwd=$6
shift 6

mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir -p "$root/proc" "$root/dev" "$root/etc" "$root/usr" "$root/app" "$root/data" "$root/run/secrets" "$root/opt/node"
for name in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$name" ]; then
    cp -P "/$name" "$root/$name"
  elif [ -d "/$name" ]; then
    mkdir "$root/$name"
    mount --rbind "/$name" "$root/$name"
  fi
done
mount --rbind /usr "$root/usr"
mount --rbind /etc "$root/etc"
mount --rbind /dev "$root/dev"
mount --bind "$layout/app" "$root/app"
mount --bind "$node" "$root/opt/node"
mount --bind "$secrets" "$root/run/secrets"
mount --bind "$data" "$root/data"
mount -t proc proc "$root/proc"
for name in usr etc app opt/node run/secrets; do
  mount -o remount,bind,ro "$root/$name"
done
mount -o remount,bind,ro "$root"

# One id mapped: a user namespace of somebody who is not root, where no other user exists.
read -r _ _ mapped </proc/self/uid_map
if [ "$mapped" = 1 ]; then
  user=
else
  user='--reuid 1000 --regid 1000 --clear-groups'
fi
# shellcheck disable=SC2086 # several words
exec chroot "$root" setpriv $user --no-new-privs --bounding-set=-all --inh-caps=-all \
  env -i -C "$cwd" PATH=/opt/node:/usr/bin:/bin "$@"
