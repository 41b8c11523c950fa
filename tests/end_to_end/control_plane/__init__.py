"""Against the real control plane, which is installed, started on loopback and stopped: `python tests control-plane`."""
