"""How the gateway does, for whoever asks over HTTP: `health.listen`."""
