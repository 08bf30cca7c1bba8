#!/bin/bash
# Build the lab's guest: Debian 13 with its own kernel and systemd, and kiosd installed as on a board.
#   build.sh [DIRECTORY]        default: var/lab of the checkout
# Stages leave a stamp with a hash of what they are made of, and are skipped while it is the same:
#   base      debootstrap
#   builder   base + compiler, headers, kernel source: the venv /opt/kiosd without kiosd, and gpio-sim
#   root      base + what the guest runs
#   image     root + venv + kiosd's wheel + systemd/ + guest/ -> root.img, initrd.img, vmlinuz
# Packages come from this machine's own Debian mirror, and pip asks whom it asks on this machine.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
work=${1:-$checkout/var/lab}
base=$work/base builder=$work/builder root=$work/root
needed="qemu-system-x86 qemu-utils nbdkit debootstrap cpio e2fsprogs"
mkdir -p "$work"

fail() { echo "lab: $*" >&2; exit 2; }
say() { echo "lab: $* (${SECONDS}s)"; }
hash_of() { { printf '%s\n' "$@"; } | sha256sum | cut -c1-16; }
files_hash() { (cd "$checkout" && find "$@" -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-16; }
fresh() { [ "$(cat "$work/$1.stamp" 2>/dev/null)" = "$2" ]; }
inside() {
  local where=$1; shift
  chroot "$where" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

requirements() {
  [ "$(id -u)" = 0 ] || fail "needs root, for chroot"
  for program in qemu-system-x86_64 qemu-img nbdkit debootstrap cpio mke2fs; do
    command -v "$program" > /dev/null || fail "$program is missing: apt install $needed"
  done
}

mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2> /dev/null |
    sed -n 's/^URIs: *\([^ ]*\/debian\)\/\?$/\1/p; s/^deb  *\([^ ]*\/debian\)\/\? .*/\1/p' | sed -n 1p
}

make_base() {
  rm -rf "$base"
  debootstrap --variant=minbase trixie "$base" "$(mirror)" > "$work/debootstrap.log"
  prepare_base
}

prepare_base() {
  cp /etc/resolv.conf "$base/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' > "$base/usr/sbin/policy-rc.d"  # no daemons in a chroot
  chmod 755 "$base/usr/sbin/policy-rc.d"
  printf 'force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n' > "$base/etc/dpkg/dpkg.cfg.d/lab"
  printf 'APT::Install-Recommends "0";\n' > "$base/etc/apt/apt.conf.d/99lab"
  inside "$base" apt-get -qq update
}

make_builder() {
  rm -rf "$builder"; cp -a "$base" "$builder"; mkdir -p "$builder/boot"
  inside "$builder" apt-get -qq -y install gcc make xz-utils ca-certificates linux-headers-amd64 linux-source-6.12 python3-venv python3-dev swig
  make_venv
  make_gpio_sim
}

# How pip finds packages here stays in the builder: it is no part of the image.
make_venv() {
  cp /etc/ssl/certs/ca-certificates.crt "$builder/etc/ssl/certs/ca-certificates.crt"
  [ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$builder/etc/pip.conf"
  [ ! -e "$HOME/.config/pip/pip.conf" ] || install -D "$HOME/.config/pip/pip.conf" "$builder/root/.config/pip/pip.conf"
  sed -n '/^dependencies = \[/,/^\]/s/^ *"\(.*\)",$/\1/p' "$checkout/pyproject.toml" > "$builder/tmp/needs"
  # Debian has no lgpio; its source links an absent library unless PYPI=1.
  printf 'lgpio>=0.2.2.0\nevdev>=1.6.1\ntomli-w>=1.0\n' >> "$builder/tmp/needs"
  inside "$builder" sh -ec 'python3 -m venv /opt/kiosd; PYPI=1 PIP_CERT=/etc/ssl/certs/ca-certificates.crt /opt/kiosd/bin/pip -q --no-cache-dir install -r /tmp/needs'
}

# irq_sim calls irq_to_desc(), which modules may not, and has no licence line; irq_resolve_mapping() returns the same and is exported.
make_gpio_sim() {
  install -D "$here/gpio-sim.mk" "$builder/opt/gpio-sim/Makefile"
  inside "$builder" sh -ec '
    cd /opt/gpio-sim
    tar -xJf /usr/src/linux-source-6.*.tar.xz --strip-components=1 --wildcards "*/drivers/gpio/gpio-sim.c" "*/drivers/gpio/gpiolib*.h" "*/kernel/irq/irq_sim.c"
    cp drivers/gpio/gpiolib*.h drivers/gpio/gpio-sim.c kernel/irq/irq_sim.c .
    sed -i -e "s/irqnum = irq_find_mapping(work_ctx->domain, offset);//" -e "s/^\tint irqnum;//" \
        -e "s/handle_simple_irq(irq_to_desc(irqnum));/handle_simple_irq(irq_resolve_mapping(work_ctx->domain, offset));/" irq_sim.c
    grep -q "handle_simple_irq(irq_resolve_mapping" irq_sim.c
    printf "#include <linux/module.h>\nMODULE_LICENSE(\"GPL\");\nMODULE_DESCRIPTION(\"irq_sim as a module\");\n" >> irq_sim.c
    make -s -C /usr/src/$(ls /usr/src | grep "^linux-headers-.*-amd64$" | tail -1) M=$PWD modules
    strip -g --strip-unneeded irq_sim.ko gpio-sim.ko'
}

make_root() {
  rm -rf "$root"; cp -a "$base" "$root"
  inside "$root" apt-get -qq -y install systemd systemd-sysv udev dbus kmod python3 mosquitto mosquitto-clients busybox-static procps kbd
  # Only unpacked: its own installation would want an initramfs.
  inside "$root" sh -ec '
    cd /tmp
    image=$(apt-cache depends linux-image-amd64 | sed -n "s/.*Depends: \(linux-image-6[^ ]*\)/\1/p" | head -1)
    apt-get -qq download "$image"; dpkg-deb -x linux-image-*.deb kernel
    mkdir -p /usr/lib/modules; cp kernel/boot/vmlinuz-* /boot/
    cp -a kernel/usr/lib/modules/* /usr/lib/modules/ 2> /dev/null || cp -a kernel/lib/modules/* /usr/lib/modules/
    rm -rf kernel ./*.deb'
  keep_modules
}

# Unpacking a module costs seconds in an emulated guest: it gets the few it needs, unpacked.
keep_modules() {
  local version; version=$(ls "$root/usr/lib/modules")
  local here_modules=$root/usr/lib/modules/$version all=$work/modules
  local wanted="virtio_blk virtio_rng ext4 configfs dummy_hcd libcomposite usb_f_printer usb_f_hid usb_f_acm usblp usbhid hid-generic
    cdc_acm evdev crc32c_generic autofs4"
  inside "$root" depmod "$version"
  # shellcheck disable=SC2086
  inside "$root" modprobe -S "$version" -a --show-depends $wanted 2> /dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!s[$0]++' > "$work/keep" || true
  rm -rf "$all"; mv "$here_modules" "$all"; mkdir -p "$here_modules/extra"
  cp "$all"/modules.{builtin,builtin.modinfo,order} "$here_modules/"
  while read -r module; do
    local below=${module#*"$version"/} to
    to=$here_modules/${below%.xz}; mkdir -p "$(dirname "$to")"
    case $below in *.xz) xz -dc "$all/$below" > "$to" ;; *) cp "$all/$below" "$to" ;; esac
  done < "$work/keep"
  rm -rf "$all"
  cp "$builder"/opt/gpio-sim/{irq_sim,gpio-sim}.ko "$here_modules/extra/"
  inside "$root" depmod "$version"
}

install_kiosd() {
  rm -rf "$work/dist" "$root/opt/kiosd" "$builder"/tmp/*.whl
  (cd "$checkout" && "${PYTHON:-.venv/bin/python}" -m pip -q wheel --no-deps -w "$work/dist" .)
  cp "$work"/dist/*.whl "$builder/tmp/"
  # In the builder: Debian's pip does not even start without the certificates that the guest has not.
  inside "$builder" sh -ec '/opt/kiosd/bin/pip -q install --no-deps --no-index --force-reinstall /tmp/*.whl'
  cp -a "$builder/opt/kiosd" "$root/opt/kiosd"
  install -D -m 644 "$checkout/systemd/kiosd.service" "$root/etc/systemd/system/kiosd.service"
  install -D -m 644 "$checkout/systemd/kiosd.sysusers" "$root/etc/sysusers.d/kiosd.conf"
  install -D -m 644 "$checkout/systemd/kiosd.tmpfiles" "$root/etc/tmpfiles.d/kiosd.conf"
  install -D -m 644 "$checkout/systemd/60-kiosd.rules" "$root/etc/udev/rules.d/60-kiosd.rules"
  inside "$root" systemd-sysusers
  install -D -m 644 "$here/kiosd.toml" "$root/etc/kiosd/kiosd.toml"
  inside "$root" sh -ec 'chgrp -R kiosd /etc/kiosd; chmod 750 /etc/kiosd'
}

configure() {
  mkdir -p "$root/opt/lab"; cp "$here"/guest/*.py "$root/opt/lab/"
  cp -a "$here/guest/etc/." "$root/etc/"
  : > "$root/etc/fstab"; : > "$root/etc/resolv.conf"; rm -f "$root/usr/sbin/policy-rc.d"
  echo kiosd-lab > "$root/etc/hostname"; echo '127.0.0.1 localhost kiosd-lab' > "$root/etc/hosts"
  echo 5d1f0c1e6b7a4b0e9c1d2e3f40516273 > "$root/etc/machine-id"
  inside "$root" passwd -qd root
  inside "$root" sh -ec '
    systemctl -q enable lab-agent.service lab-devices.service lab-listener.service kiosd.service mosquitto.service getty@tty1.service
    systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-timesyncd.service \
      systemd-hwdb-update.service systemd-firstboot.service ldconfig.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount \
      modprobe@drm.service modprobe@efi_pstore.service modprobe@dm_mod.service modprobe@loop.service systemd-pstore.service \
      dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount systemd-logind.service
    systemctl -q set-default multi-user.target' 2>&1 | grep -Ev '^(Created symlink|/proc/ is not|your invocation|Your mileage)' || true
  mkdir -p "$root/var/log/journal"
}

make_initrd() {
  local version tree=$root/tmp/initrd; version=$(ls "$root/usr/lib/modules")
  rm -rf "$tree"; mkdir -p "$tree"/{bin,dev,proc,sys,root,modules}
  cp "$root/usr/bin/busybox" "$tree/bin/busybox"; ln -s busybox "$tree/bin/sh"; install -m 755 "$here/guest/init.sh" "$tree/init"
  inside "$root" sh -c "for m in virtio_blk crc32c_generic ext4; do modprobe -S $version --show-depends \$m; done" |
    awk '$1 == "insmod" && !s[$2]++ { print $2 }' | while read -r module; do
      cp "$root/usr/${module#*/usr/}" "$tree/modules/" 2> /dev/null || cp "$root/usr$module" "$tree/modules/"
      basename "$module" >> "$tree/modules/order"
    done
  (cd "$tree" && find . | cpio --quiet -o -H newc) > "$work/initrd.img"
  rm -rf "$tree"; cp "$root/boot/vmlinuz-$version" "$work/vmlinuz"
}

make_image() {
  install_kiosd
  configure
  make_initrd
  rm -f "$work/root.img"; truncate -s 1400M "$work/root.img"
  mke2fs -q -t ext4 -O ^metadata_csum_seed -m 0 -d "$root" "$work/root.img"
}

stage() {
  local name=$1 hash=$2
  if fresh "$name" "$hash"; then return; fi
  rm -f "$work/$name.stamp"
  say "building $name"
  "make_$name"
  echo "$hash" > "$work/$name.stamp"
}

requirements
base_hash=$(hash_of "$(declare -f make_base prepare_base)")
builder_hash=$(hash_of "$base_hash" "$(sed -n '/^dependencies = \[/,/^\]/p' "$checkout/pyproject.toml")" "$(cat "$here/gpio-sim.mk")" \
  "$(declare -f make_builder make_venv make_gpio_sim)")
root_hash=$(hash_of "$builder_hash" "$(declare -f make_root keep_modules)")
stage base "$base_hash"
stage builder "$builder_hash"
stage root "$root_hash"
stage image "$(hash_of "$root_hash" "$(files_hash kiosd drivers systemd pyproject.toml tests/lab/build.sh tests/lab/kiosd.toml tests/lab/guest)")"
say "the guest is built"
