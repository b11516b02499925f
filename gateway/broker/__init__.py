"""The embedded broker: Debian's mosquitto where one is installed, else amqtt."""
