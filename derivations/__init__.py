"""Results: what each paper claims, derived step by step, checked and exported."""
