"""The window of Disentangle Studio. Only bridge.py knows both Qt and the engine's jobs."""
