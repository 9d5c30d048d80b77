"""Properties leave nothing behind, and never fail for a slow machine."""

from hypothesis import HealthCheck, settings

settings.register_profile("unit", database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")
