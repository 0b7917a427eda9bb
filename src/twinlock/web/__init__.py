"""Pages for people: where customers prove, and say no. Server-rendered; they decide nothing."""
