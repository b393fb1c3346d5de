"""One file for each package ecosystem: the database that an installation leaves behind → packages."""
