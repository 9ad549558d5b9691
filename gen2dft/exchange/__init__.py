"""Archives that carry campaigns from one database to another: writing, checking, reading."""
