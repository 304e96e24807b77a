"""Events and messages: written with the change they tell of, sent on when they can be."""
