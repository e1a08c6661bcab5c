'use client';

import { useEffect } from 'react';

/** As the client of MLflow prints it at the end of a run, behind the address of its server. */
const RUN_LINK = /^#\/experiments\/\d+\/runs\/([\da-f]{8})([\da-f]{4})([\da-f]{4})([\da-f]{4})([\da-f]{12})$/;

/** Opens the run that a link of MLflow means: what is behind the # reaches no server. */
export function MlflowLinks() {
  useEffect(() => {
    const found = RUN_LINK.exec(window.location.hash);
    if (found) window.location.replace(`/runs/${found.slice(1).join('-')}`);
  }, []);
  return null;
}
