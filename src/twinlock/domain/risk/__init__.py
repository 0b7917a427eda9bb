"""Risk: how unlike an account's own sign-ins one is. The score only ever adds requirements."""
