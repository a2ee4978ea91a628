"""Events and incidents as operators read them, and the incidents' transitions."""
