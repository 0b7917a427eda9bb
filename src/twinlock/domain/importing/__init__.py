"""Moving in: what an older system knew of a customer, taken over with less trust than our own."""
