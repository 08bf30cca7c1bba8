# gpio-sim and irq_sim out of tree: Debian's kernel is built without them. irq_sim exports its own symbols, so both fit in one build.
obj-m := irq_sim.o gpio-sim.o
ccflags-y += -I$(src) -DCONFIG_IRQ_SIM=1
