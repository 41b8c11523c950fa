"""The control plane (Kubiya): its desired state (`desired`), its HTTP API (`api`), and their synchronization (`sync`).

In: a linked workspace and its bundles. Out: the resources as JSON or Terraform, a plan, and the requests that apply it.
"""
