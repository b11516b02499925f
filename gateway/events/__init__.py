"""The events that Sluice publishes: one model for each, and from the models the events, their schemas, and the AsyncAPI document."""
