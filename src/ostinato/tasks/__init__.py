"""One file a task: the face that a user meets."""
