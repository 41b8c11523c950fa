"""Tests with the real control plane, installed and started on loopback: `python tests control-plane`."""
