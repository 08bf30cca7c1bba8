#!/bin/sh
# The initrd's only program: load what the root needs, mount it, go there.
export PATH=/bin
b=/bin/busybox
$b mount -t devtmpfs none /dev; $b mount -t proc none /proc; $b mount -t sysfs none /sys
while read -r module; do $b insmod "/modules/$module"; done < /modules/order
i=0
while [ ! -b /dev/vda ] && [ $i -lt 200 ]; do $b usleep 50000; i=$((i + 1)); done
$b mount -t ext4 -o rw /dev/vda /root || exec $b sh
$b mount --move /dev /root/dev; $b mount --move /proc /root/proc; $b mount --move /sys /root/sys
exec $b switch_root /root /sbin/init
