"""The event stream under bad networks, bursts and absences."""
