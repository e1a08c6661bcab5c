'use client';

import { useEffect } from 'react';

/** As the client of MLflow prints them at the end of a run, behind the address of its server. */
const LINK = /^#\/experiments\/(\d+)(?:\/runs\/([\da-f]{8})([\da-f]{4})([\da-f]{4})([\da-f]{4})([\da-f]{12}))?$/;

/** Opens the run or the experiment that a link of MLflow means: what is behind the # reaches no server. */
export function MlflowLinks() {
  useEffect(() => {
    const [, experiment, ...run] = LINK.exec(window.location.hash) ?? [];
    if (experiment === undefined) return;
    window.location.replace(run[0] === undefined ? `/experiments/${experiment}` : `/runs/${run.join('-')}`);
  }, []);
  return null;
}
