'use client';

/** Where not even the frame could be drawn; so it leans on nothing, not even on scripts. */
export default function GlobalError() {
  return (
    <html lang="en">
      <body style={{ fontFamily: 'system-ui, sans-serif', margin: '12vh auto', maxWidth: '60ch' }}>
        <h1>The dashboard could not be shown</h1>
        <p>Training goes on, and nothing that was stored is lost.</p>
        <p>
          Reload it, or <a href="/">see all runs</a>.
        </p>
      </body>
    </html>
  );
}
