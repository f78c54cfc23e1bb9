@echo off
rem The tune command of this checkout: builds it once, in Release, when sources changed, then runs it.
setlocal
set "ROOT=%~dp0"
set "PROGRAM=%ROOT%artifacts\tune\tune.dll"
set "STAMP=%ROOT%artifacts\.tune-built"

where dotnet >nul 2>nul
if errorlevel 1 goto nosdk
dotnet --list-sdks | findstr /b "10." >nul
if errorlevel 1 goto nosdk

powershell -NoProfile -Command "$s='%STAMP%'; if (-not (Test-Path $s) -or -not (Test-Path '%PROGRAM%')) { exit 1 }; $t=(Get-Item $s).LastWriteTimeUtc; $p=@('src','configs','quickstart','Directory.Build.props','Directory.Packages.props','global.json','.editorconfig') | ForEach-Object { Join-Path '%ROOT%' $_ } | Where-Object { Test-Path $_ }; if (Get-ChildItem $p -Recurse -Force | Where-Object { $_.LastWriteTimeUtc -gt $t } | Select-Object -First 1) { exit 1 }"
if not errorlevel 1 goto run

echo tune: building TuneSharp (Release); later starts skip this... 1>&2
if not exist "%ROOT%artifacts" mkdir "%ROOT%artifacts"
pushd "%ROOT%"
rem The stamp is as old as the build's start: a file changed meanwhile makes the next start build again.
echo. > "%STAMP%.began"
dotnet publish src\TuneSharp.Cli -c Release --nologo -v quiet -o artifacts\tune 1>&2
if errorlevel 1 (
    popd
    echo tune: the build failed; its words are above. 1>&2
    exit /b 1
)
move /y "%STAMP%.began" "%STAMP%" >nul
popd
echo tune: built. 1>&2

:run
dotnet "%PROGRAM%" %*
exit /b %errorlevel%

:nosdk
echo tune: the .NET SDK 10 was not found. Install it from https://dotnet.microsoft.com/download/dotnet/10.0, then run this again. 1>&2
exit /b 1
