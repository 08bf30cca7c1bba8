"""A load test for a central system: many made-up sites that publish real envelopes from one process."""
