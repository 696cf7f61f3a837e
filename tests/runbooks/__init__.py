"""What the tests of the runbooks share: their pages, and a fleet to try their commands on."""
