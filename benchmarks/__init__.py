"""What Hedgerow costs, beside other state machine libraries; `python -m benchmarks` writes docs/benchmarks.md."""
