"""The publisher: every message is acknowledged, also when the broker goes away."""

from simulator.publisher import Publisher


def test_publisher_survives_broker(mosquitto):
    """When the broker goes away in mid-stream, the publisher comes back and every message is acknowledged."""
    with Publisher(mosquitto.broker, in_flight=100) as publisher:
        for number in range(3000):
            if number == 1000:
                mosquitto.stop()
                mosquitto.start_after(0.3)
            publisher.publish("load/x", str(number).encode())
        publisher.drain()
    assert (publisher.sent, publisher.acknowledged, publisher.waiting) == (3000, 3000, 0)
