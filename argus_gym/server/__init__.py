"""``argus-gym serve``: the text environment as an OpenEnv service (extra ``serve``)."""
