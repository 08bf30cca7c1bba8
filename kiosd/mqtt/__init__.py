"""The MQTT contract, version 1."""
